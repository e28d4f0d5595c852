"""Pages to keep and to share: a player and a report, each one HTML file that needs no network."""

from hvr_nb.report.clip_page import clip_report
from hvr_nb.report.pages import Section, write_report
from hvr_nb.report.player import write_player

__all__ = ["Section", "clip_report", "write_player", "write_report"]
