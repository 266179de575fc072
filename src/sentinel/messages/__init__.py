"""The text of what people receive: a notice, written out in the reader's language and time zone."""
