"""03: figures and widgets for looking at images and maps."""
