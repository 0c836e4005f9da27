"""Transports driven step by step on two loops at a time: see tests/fuzz/test_machines.py."""
