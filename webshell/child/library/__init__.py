"""What programs may import: this folder is on their path, before what is installed, which it steps aside for."""
