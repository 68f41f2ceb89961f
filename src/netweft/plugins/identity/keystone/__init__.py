"""The plug-in `keystone`: tokens are those of the cloud's Keystone.  `tokens` reads them, `service` validates them."""
