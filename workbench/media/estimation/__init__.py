"""Poses estimated from pictures, in a process of their own."""
