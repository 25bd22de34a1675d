"""What makes the book out of the chapters; nothing here is needed to count."""
