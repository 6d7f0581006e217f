"""What nginx is: its files, and those that were there as pillar."""
