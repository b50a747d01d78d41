"""What runs in the child or on a far host: standard library only, run by path, by whatever Python is there."""
