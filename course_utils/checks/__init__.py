"""The exercise checkers, one module a lesson; loaded by `course_utils.check` when they are needed."""
