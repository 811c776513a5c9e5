"""MMAudio: the sound of a film. What is seen and what is said lead a flow from noise to the latent of a sound."""
