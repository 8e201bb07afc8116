"""Tables that users fold from events, with two functions each: declared, kept, copied, and asked of the past."""
