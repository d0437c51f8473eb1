"""The families of scripts/check_python.py: each draws random cases and runs them in the reference and in tuwen."""
