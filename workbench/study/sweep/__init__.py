"""A table file and the runs that it needs: plan, jobs, executors, results."""
