"""Features: functions over tiles as of a time, compiled to SQL, run by one executor."""
