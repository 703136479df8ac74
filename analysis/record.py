"""record.py - what is measured of a point, by the names that results files give it (src/sweep/record.c is the list)."""

STATUS = ('pending', 'done', 'diverged', 'epoch_limit', 'failed')
# Measures beside lambda_max, in the file where the job asked for them; compared with the generalisation gap like lambda_max.
MEASURES = {'trace': 'trace', 'lambda_min': 'smallest eigenvalue', 'gauss_newton_lambda_max': 'Gauss-Newton λ_max',
            'adaptive_lambda_max': 'adaptive λ_max', 'spherical_sharpness': 'spherical sharpness',
            'subset_lambda_mean': 'λ_max, mean over subsets', 'sharpness': 'sharpness',
            'adaptive_sharpness': 'adaptive sharpness', 'batch_sharpness': 'batch sharpness',
            'alignment': 'gradient alignment', 'sam_edge': "SAM's edge"}
# The residuals that certify those of them that are eigenvalues.
RESIDUALS = {'lambda_min': 'lambda_min_residual', 'gauss_newton_lambda_max': 'gauss_newton_residual',
             'adaptive_lambda_max': 'adaptive_residual', 'spherical_sharpness': 'spherical_residual',
             'subset_lambda_mean': 'subset_lambda_residual'}
RECORD = {
    'id', 'status', 'stop_reason', 'lambda_max', 'lambda_residual', 'lambda_upper', 'lr_lambda_max', 'lambda_fraction',
    'lambda_converged', 'hvp_count', 'curvature_n_examples', 'curvature_ghost_examples', 'train_loss', 'train_accuracy',
    'test_loss', 'test_accuracy', 'gradient_norm', 'epochs', 'steps', 'n_parameters', 'n_train', 'n_test', 'train_s',
    'curvature_s', 'peak_memory_bytes', 'n_threads', 'attempts', 'worker', 'host', 'finished', 'error', 'data_digest',
    'convolutions', 'n_eigenvalues', 'measure_hvp_count', 'measure_s', 'trace_error', 'subset_lambda_deviation',
    'subset_examples', 'batch_sharpness_error', *MEASURES, *RESIDUALS.values()}
TEXTS = {'id', 'host', 'finished', 'error', 'data_digest', 'convolutions'}
INTEGERS = {'status', 'stop_reason', 'lambda_converged', 'hvp_count', 'curvature_n_examples', 'curvature_ghost_examples',
            'epochs', 'steps', 'n_parameters', 'n_train', 'n_test', 'n_threads', 'worker', 'attempts', 'n_eigenvalues',
            'measure_hvp_count', 'subset_examples'}
# Settings that say how or how long to compute, not what: points that differ in them alone are comparable.
INCIDENTAL = {'threads', 'save_weights', 'data_dir', 'max_epochs', 'max_steps', 'evaluate_every_epochs', 'curvature_risk',
              'curvature_max_hvp', 'curvature_memory', 'checkpoint_interval_s', 'micro_batch',
              'track_every_epochs', 'track_every_steps', 'eigenvalues', 'trial_memory',
              'trace_probes', 'spectrum_probes', 'spectrum_steps', 'smallest_eigenvalue', 'gauss_newton',
              'adaptive_eigenvalue', 'spherical_eigenvalue', 'gradient_alignment', 'sharpness_rho', 'sharpness_m',
              'adaptive_rho', 'sharpness_steps', 'batch_sharpness_batches', 'lambda_subsets', 'track_measures'}
