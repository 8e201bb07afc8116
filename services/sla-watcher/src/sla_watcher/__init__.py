"""A Faust application that reads Farandole's journal and publishes `sla.breached`; it imports nothing of farandole."""
