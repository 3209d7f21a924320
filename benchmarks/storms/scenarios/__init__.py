"""The storms, one module per storm."""
