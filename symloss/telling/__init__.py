"""Floor 5, telling: analysis, tables, plots and exports; it reads runs and shows what they hold."""
