"""What people may ask for and by when, and what must go when its time is over."""
