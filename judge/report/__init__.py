"""Run directories -> one HTML file that holds everything: numbers, plots, and the records behind them."""
