"""How reports look: HTML, CSV, JSON and PDF, in French and in English. They are told all, and ask nothing."""
