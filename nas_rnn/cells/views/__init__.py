"""What people look at: equations, diagrams, differences."""
