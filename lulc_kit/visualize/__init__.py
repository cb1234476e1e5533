"""03: pictures and widgets for looking at images, maps and numbers."""
