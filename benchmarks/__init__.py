"""What performance is shown with: figures of one run, side by side."""
