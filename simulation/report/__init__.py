"""What a grid of runs showed: figures by family and policy, as text and as a page."""
