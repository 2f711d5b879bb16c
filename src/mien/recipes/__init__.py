"""One Python file per training run, all of settings; `mien recipes list` names them."""
