"""The one door for files of a user's: what a file says is understood here, once, and written down as a record."""
