"""Knowledge distillation: a small student network, trained with an encoder model as its teacher."""
