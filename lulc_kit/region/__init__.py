"""A region of many areas: each mapped by itself, all joined in one map."""
