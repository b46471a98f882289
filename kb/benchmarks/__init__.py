"""What `manage.py bench` measures: each compares two things in one run."""
