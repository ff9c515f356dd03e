"""What things look like: four solids, and furniture, kitchenware and belongings made of them."""
