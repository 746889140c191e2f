"""Published cells, each as its equations with its paper; found through the same door as anybody's cells."""
