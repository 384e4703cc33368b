"""What a cluster is: values and laws. Nothing here waits, or fails for a reason outside its arguments."""
