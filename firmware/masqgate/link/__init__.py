"""The link without I/O: AT, link machine, what pppd says, options, back-off."""
