"""Formats Results for people and programs: text, JSON records, CSV, HTML reports."""
