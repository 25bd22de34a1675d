"""Problem sets: what is asked, how it is packed for students and graders, and how it is graded."""
