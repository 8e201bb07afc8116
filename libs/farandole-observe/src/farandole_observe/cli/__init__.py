"""The commands that this package adds to `farandole`, one file each."""
