"""What neural models are built from: modules and training steps made from a Layout."""
