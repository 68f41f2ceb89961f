"""A load balancer's HAProxy configuration: pure, from the model to text."""
