"""Ask your own articles: every sentence shown is carried by an exact quote, or it is not shown."""

__version__ = "0.1.0"
