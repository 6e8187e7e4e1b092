"""Who is there, what they may do, and which tenants they may see."""
