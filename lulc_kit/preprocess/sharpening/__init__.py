"""20 m and 60 m bands at 10 m: local regression on the 10 m bands, corrected until degrading gives them back."""
