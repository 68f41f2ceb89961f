"""What HAProxy is told for a load balancer: pure, from the model to the text of its configuration."""
