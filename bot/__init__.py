"""What Dailies is: jobs and their life, the use-cases, the ports, and how it reaches video providers."""
