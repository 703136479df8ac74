#include "sharpsweep/sweep.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../suite.h"

/* The text behind "job.yaml:" or, where `message` begins with ':', anywhere at the front. */
struct bad { const char *text, *message; };
static const struct bad bads[] = {
    /* YAML itself */
    {"", "job.yaml: the file is empty"},
    {"# nothing\n", "job.yaml: the file is empty"},
    {"---\n...\n", "job.yaml: the file is empty"},
    {"model: [", "job.yaml:2:1: YAML syntax: did not find expected"},
    {"model:\n  network: mlp\n batch_norm: true\n", "job.yaml:3:2: YAML syntax: did not find expected key"},
    {"model: {network: mlp\ndata: {}\n", "job.yaml:2:5: YAML syntax: did not find expected ',' or '}'"},
    {"model: 'mlp\n", "job.yaml:2:1: YAML syntax: found unexpected end of stream"},
    {"model: *nowhere\n", "job.yaml:1:8: YAML syntax: found undefined alias"},
    {"model: @x\n", "job.yaml:1:8: YAML syntax: found character that cannot start any token"},
    {"model:\n\tnetwork: mlp\n", "job.yaml:2:1: a tab in the indentation; YAML is indented with spaces"},
    {"model:\n  \tnetwork: mlp\n", "job.yaml:2:3: a tab in the indentation"},
    {"model: \x01\n", "job.yaml:1:8: control character 0x01"},
    {"model:\n  network: \xff\n", "job.yaml:2:12: byte 0xff is not UTF-8"},
    /* escapes bring in what the file's own bytes may not: cut at a NUL, the value would be another */
    {"model:\n  network: \"mlp\\0junk\"\n", "job.yaml:2:12: control character 0x00 (an escape such as \\0); remove it"},
    {"model:\n  network: \"mlp\\u0000\"\n", "job.yaml:2:12: control character 0x00"},
    {"model:\n  \"network\\0x\": mlp\n", "job.yaml:2:3: control character 0x00"},
    {"\"model\\0\":\n  network: mlp\n", "job.yaml:1:1: control character 0x00"},
    {"model: {widths: [16, \"8\\0\"]}\n", "job.yaml:1:22: control character 0x00"},
    {"model:\n  network: layers\n  layers: [\"relu\\0\"]\n", "job.yaml:3:12: control character 0x00"},
    {"model:\n  network: layers\n  layers: [{linear: {\"units\\0\": 3}}]\n", "job.yaml:3:22: control character 0x00"},
    {"grid:\n  \"seed\\0\": [1]\n", "job.yaml:2:3: control character 0x00"},
    {"grid:\n  activation: [relu, \"tanh\\0\"]\n", "job.yaml:2:22: control character 0x00"},
    {"grid:\n  seed: [1, 2]\nexclude: [{\"seed\\0\": 1}]\n", "job.yaml:3:12: control character 0x00"},
    {"sweep:\n  output: \"a\\0.h5\"\n", "job.yaml:2:11: control character 0x00"},
    {"sweep:\n  output: \"a\\e.h5\"\n", "job.yaml:2:11: control character 0x1b"},
    {"# \xc3\xa9\xc3\n", "job.yaml:1:4: byte 0xc3 is not UTF-8"},
    {"# \xc0\xaf\n", "job.yaml:1:3: byte 0xc0 is not UTF-8"},
    {"# \xed\xa0\x80\n", "job.yaml:1:3: byte 0xed is not UTF-8"},
    {"# \xf4\x90\x80\x80\n", "job.yaml:1:3: byte 0xf4 is not UTF-8"},
    {"model: {}\n---\ndata: {}\n", "job.yaml:2:1: a second document; a job file holds one"},
    {"training:\n  seed: !!int 3\n", "job.yaml:2:9: the tag tag:yaml.org,2002:int; a job file has no tags"},
    {"training:\n  seed: !!str 3\n", "job.yaml:2:9: the tag tag:yaml.org,2002:str"},
    {"model: !mine {}\n", "job.yaml:1:8: the tag !mine"},
    {"grid:\n  seed: !!set [1]\n", "job.yaml:2:9: the tag"},
    {"training: &t\n  seed: 1\nsweep:\n  <<: *t\n", "job.yaml:4:3: merge keys (<<) are left out of job files"},
    {"grid: &a\n  seed: [*a]\n", "job.yaml:1:7: seed: a mapping; expected an integer"},
    {"a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n", "nested deeper than 32 levels"},
    /* sections and keys */
    {"mlp\n", "job.yaml:1:1: a single value; expected sections: model, data"},
    {"[model]\n", "job.yaml:1:1: a list; expected sections"},
    {"modle: {}\n", "job.yaml:1:1: modle: unknown section; nearest known section is model"},
    {"xyzzy: {}\n", "job.yaml:1:1: xyzzy: unknown section; expected model, data, training, curvature, grid or sweep"},
    {"learning_rate: 0.1\n", "job.yaml:1:1: learning_rate: belongs in section training, not at the top"},
    {"zip: []\n", "job.yaml:1:1: zip: belongs in section grid"},
    {"model: {}\nmodel: {}\n", "job.yaml:2:1: section model: given twice, first on line 1"},
    {"model: mlp\n", "job.yaml:1:8: section model: a single value; expected lines of key: value"},
    {"model: [mlp]\n", "job.yaml:1:8: section model: a list"},
    {"training:\n  # one\n  momentum: 0\n    \n  learning_rat: 0.1\n",
     "job.yaml:5:3: learning_rat: unknown key in section training; nearest known key is learning_rate"},
    {"training: {lr: 0.1}\n", "job.yaml:1:12: lr: unknown key in section training; nearest known key is learning_rate"},
    {"training: {xyzzy: 0.1}\n", "job.yaml:1:12: xyzzy: unknown key in section training; jobs/README.md lists all"},
    {"model:\n  learning_rate: 0.1\n", "job.yaml:2:3: learning_rate: belongs in section training, not in model"},
    {"training:\n  seed: 1\n  seed: 2\n", "job.yaml:3:3: seed: given twice, first on line 2"},
    {"training:\n  ? [a]\n  : 1\n", "job.yaml:2:5: a list where the name of a key was expected"},
    {"training:\n  ? {a: b}\n  : 1\n", "job.yaml:2:5: a mapping where the name of a key was expected"},
    {"training:\n  '': 1\n", "job.yaml:2:3: nothing where the name of a key was expected"},
    {"training:\n  \xc3\xa9\xc3\xa9\xc3\xa9: 1\n", "job.yaml:2:3: \xc3\xa9\xc3\xa9\xc3\xa9: unknown key"},
    /* values */
    {"training:\n  learning_rate: abc\n",
     "job.yaml:2:18: learning_rate: 'abc' is not a decimal number; expected a number greater than 0"},
    {"training:\n  learning_rate: -1\n", "job.yaml:2:18: learning_rate: '-1' is too small"},
    {"training:\n  learning_rate:\n", "job.yaml:2:17: learning_rate: has no value; expected a number greater than 0"},
    {"training: {seed: null}\n", "job.yaml:1:18: seed: has no value"},
    {"training: {seed: ~}\n", "job.yaml:1:18: seed: has no value"},
    {"training: {learning_rate: nan}\n", "job.yaml:1:27: learning_rate: 'nan' is not a decimal number"},
    {"training: {learning_rate: .inf}\n", "job.yaml:1:27: learning_rate: '.inf' is not a decimal number"},
    {"training: {learning_rate: \"0.1\"}\n",
     "job.yaml:1:27: learning_rate: \"0.1\" is quoted text; expected a number greater than 0, without quotes"},
    {"training: {learning_rate: [0.1, 0.2]}\n", "job.yaml:1:27: learning_rate: a list; expected a number greater than 0 "
                                                 "(several values belong in section grid)"},
    {"training: {learning_rate: {log: [1, 2, 3]}}\n", "job.yaml:1:27: learning_rate: a mapping; expected a number"},
    {"training: {batch_size: -5}\n",
     "job.yaml:1:24: batch_size: '-5' is too small; expected an integer from 1 to 1000000000 (examples), or full"},
    {"training: {batch_size: all}\n", "job.yaml:1:24: batch_size: 'all' is not a decimal integer"},
    {"training: {batch_size: 'full'}\n", "job.yaml:1:24: batch_size: \"full\" is quoted text"},
    {"training: {max_epochs: 1.5}\n", "job.yaml:1:24: max_epochs: '1.5' is not a decimal integer"},
    {"training: {nesterov: yes}\n", "job.yaml:1:22: nesterov: 'yes' is a truth value in YAML 1.1 only"},
    {"training: {nesterov: 'true'}\n", "job.yaml:1:22: nesterov: \"true\" is quoted text; expected true or false"},
    {"training: {schedule: cosin}\n", "job.yaml:1:22: schedule: 'cosin' is not known (did you mean cosine?)"},
    {"model: {dropout: 1.0}\n", "job.yaml:1:18: dropout: '1.0' is too large"},
    {"model: {widths: 200}\n", "job.yaml:1:17: widths: a single value; expected a list of at most 16 integers"},
    {"model: {widths: [200, x]}\n", "job.yaml:1:23: widths: 'x' is not a decimal integer"},
    {"model: {widths: [200, 0]}\n", "job.yaml:1:23: widths: '0' is too small; expected an integer from 1 to 65536 (units)"},
    {"model: {widths: [[1]]}\n", "job.yaml:1:18: widths: a list; expected an integer"},
    {"model: {widths: [1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8]}\n", "job.yaml:1:17: widths: 17 items; expected at most 16"},
    {"sweep: {seeds: 0}\n",
     "job.yaml:1:16: seeds: '0' is too small; expected an integer from 1 to 1000000 (seeds), or none"},
    {"sweep: {checkpoint_interval_s: -1}\n", "job.yaml:1:32: checkpoint_interval_s: '-1' is too small; expected a number "
     "of at least 0 (s)"},
    {"sweep: {checkpoint_interval_s: often}\n", "job.yaml:1:32: checkpoint_interval_s: 'often'"},
    {"sweep: {crash_retries: -1}\n", "job.yaml:1:24: crash_retries: '-1' is too small; expected an integer from 0 to 100"},
    {"sweep: {trial_memory: some}\n", "job.yaml:1:23: trial_memory: 'some' is not a number of bytes"},
    {"sweep: {trial_memory: 700}\n", "job.yaml:1:23: trial_memory: '700' is too small"},
    {"sweep: {trial_memory_mib: 700}\n", "unknown key in section sweep; nearest known key is trial_memory"},
    {"sweep: {worker_silence_s: 0}\n", "job.yaml:1:27: worker_silence_s: '0' is too small; expected a number greater than 0"},
    {"grid: {trial_silence_s: [1, 2]}\n", "trial_silence_s"},
    {"sweep: {progress_s: 0}\n", "job.yaml:1:21: progress_s: '0' is too small; expected a number greater than 0 (s)"},
    {"sweep: {output: [a]}\n", "job.yaml:1:17: output: a list; expected a path"},
    {"sweep: {output: ~}\n", "job.yaml:1:17: output: has no value; expected a path"},
    {"sweep: {output: \"${NO_SUCH_VARIABLE}/x\"}\n",
     "job.yaml:1:17: output: the environment variable NO_SUCH_VARIABLE is not set"},
    {"sweep:\n  output: x${HOME\n", "job.yaml:2:11: output: '${HOME' has no closing brace"},
    {"sweep:\n  output: x${}\n", "job.yaml:2:11: output: ${} names no variable"},
    {"sweep:\n  output: $HOME/x\n", "job.yaml:2:11: output: '$HOME/x': variables are written with braces, ${NAME}"},
    {"data:\n  data_dir: ~you/x\n", "job.yaml:2:13: data_dir: '~you/x': only ~ itself"},
    /* grid */
    {"grid: 3\n", "job.yaml:1:7: section grid: a single value; expected lines of axis: [values]"},
    {"grid: {learning_rat: [1]}\n",
     "job.yaml:1:8: learning_rat: unknown key in section grid; nearest known key is learning_rate"},
    {"grid: {widths: [[1], [2]]}\n", "job.yaml:1:8: widths: cannot be an axis; set it once in section model"},
    {"grid: {data_dir: [a]}\n", "job.yaml:1:8: data_dir: cannot be an axis"},
    {"grid: {threads: [1]}\n", "job.yaml:1:8: threads: cannot be an axis; set it once in section sweep"},
    {"grid: {seeds: [1]}\n", "job.yaml:1:8: seeds: belongs in section sweep"},
    {"grid: {output: [1]}\n", "job.yaml:1:8: output: cannot be an axis"},
    {"grid: {learning_rate: []}\n", "job.yaml:1:23: learning_rate: an empty list"},
    {"grid: {learning_rate: }\n", "job.yaml:1:23: learning_rate: has no value"},
    {"grid: {learning_rate: [0.1, x]}\n", "job.yaml:1:29: learning_rate: 'x' is not a decimal number"},
    {"grid: {learning_rate: [0.1, [2]]}\n", "job.yaml:1:29: learning_rate: a list"},
    {"grid: {learning_rate: [0.1, 1, 1e-1]}\n", "job.yaml:1:32: learning_rate: the value 0.1 stands twice in the list"},
    {"grid: {batch_size: [full, 1, full]}\n", "job.yaml:1:30: batch_size: the value full stands twice"},
    {"grid:\n  seed: [1]\ntraining:\n  seed: 1\n", "job.yaml:4:3: seed: given twice, first on line 2"},
    {"grid:\n  seed: [1]\n  seed: [2]\n", "job.yaml:3:3: seed: given twice, first on line 2"},
    {"grid:\n  seed: [1]\nsweep:\n  seeds: 2\n", "job.yaml:4:3: seeds: seed is set too (line 2)"},
    {"training:\n  seed: 1\nsweep:\n  seeds: 2\n", "job.yaml:4:3: seeds: seed is set too (line 2)"},
    {"grid: {learning_rate: {exp: [1, 2, 3]}}\n",
     "job.yaml:1:23: learning_rate: a mapping; expected {log: [from, to, count]}"},
    {"grid: {learning_rate: {log: [1, 2, 3], linear: [1, 2, 3]}}\n",
     "job.yaml:1:23: learning_rate: a mapping; expected {log"},
    {"grid: {learning_rate: {log: [1, 2]}}\n",
     "job.yaml:1:29: learning_rate: expected three numbers, log: [from, to, count]"},
    {"grid: {learning_rate: {log: 5}}\n", "job.yaml:1:29: learning_rate: expected three numbers"},
    {"grid: {learning_rate: {log: [0, 1, 3]}}\n",
     "job.yaml:1:29: learning_rate: a log range from 0 to 1; both ends must be greater than 0"},
    {"grid: {learning_rate: {log: [1, 1, 3]}}\n", "job.yaml:1:29: learning_rate: a range from 1 to the same value"},
    {"grid: {learning_rate: {log: [1, 2, 1]}}\n",
     "job.yaml:1:29: learning_rate: a range of 1 values; count must be an integer"},
    {"grid: {learning_rate: {log: [1, 2, 2.5]}}\n", "job.yaml:1:29: learning_rate: a range of 2.5 values"},
    {"grid: {learning_rate: {log: [1, 2, 1e9]}}\n", "job.yaml:1:29: learning_rate: a range of 1e+09 values"},
    {"grid: {learning_rate: {log: [1, x, 3]}}\n", "job.yaml:1:33: learning_rate: 'x' is not a decimal number; a range is"},
    {"grid: {learning_rate: {log: [1, [2], 3]}}\n", "job.yaml:1:33: learning_rate: 'a list' is not a decimal number"},
    {"grid: {learning_rate: {linear: [-1, 1, 3]}}\n", "job.yaml:1:23: learning_rate: '-1' is too small"},
    {"grid: {batch_size: {linear: [1, 3, 5]}}\n",
     "job.yaml:1:20: batch_size: the range gives the value 2 twice once rounded"},
    {"grid: {batch_norm: {linear: [0, 1, 2]}}\n", "job.yaml:1:20: batch_norm: a range needs a number's key"},
    {"grid: {seed: {linear: [1, 4000, 4000]}, batch_size: {linear: [1, 4000, 4000]}}\n",
     "job.yaml: the grid has more than 10000000 combinations"},
    {"grid: {zip: []}\n", "job.yaml:1:13: zip: an empty list"},
    {"grid: {zip: 3}\n", "job.yaml:1:13: zip: a single value; expected axes with their lists"},
    {"grid: {zip: [3]}\n", "job.yaml:1:14: zip: a single value"},
    {"grid: {zip: {seed: [1, 2]}}\n", "job.yaml:1:13: zip: couples 1 axes; expected 2 to 8"},
    {"grid: {zip: {seed: [1, 2], batch_size: [1, 2, 3]}}\n",
     "job.yaml:1:28: zip: batch_size has 3 values and seed has 2; zipped axes are of equal length"},
    {"grid:\n  zip: {seed: [1, 2], batch_size: [1, 2]}\n  seed: [3]\n", "job.yaml:3:3: seed: given twice, first on line 2"},
    {"grid:\n  zip: {seed: [1, 2], batch_size: [1, 2]}\n  zip: {momentum: [0], dropout: [0]}\n",
     "job.yaml:3:3: zip: given twice; zip takes a list"},
    {"grid: {exclude: []}\n", "job.yaml:1:17: exclude: a list of 0 items"},
    {"grid: {exclude: 3}\n", "job.yaml:1:17: exclude: expected mappings of 1 to 8 axes"},
    {"grid: {seed: [1, 2], exclude: [{}]}\n", "job.yaml:1:32: exclude: expected mappings"},
    {"grid: {seed: [1, 2], exclude: [{batch_size: 3}]}\n", "job.yaml:1:33: exclude: batch_size is no axis of this grid"},
    {"grid: {seed: [1, 2], exclude: {sede: 3}}\n",
     "job.yaml:1:32: sede: unknown key in section grid; nearest known key is seed"},
    {"grid: {seed: [1, 2, 4], exclude: {seed: 3}}\n",
     "job.yaml:1:41: exclude: 3 is no value of the axis seed, which runs from 1 to 4"},
    {"grid: {seed: [1, 2], exclude: {seed: x}}\n", "job.yaml:1:38: seed: 'x' is not a decimal integer"},
    {"grid: {seed: [1, 2], exclude: {seed: []}}\n", "job.yaml:1:38: exclude: an empty list for seed"},
    {"grid: {seed: [1, 2], exclude: {seed: 1, seed: 2}}\n", "job.yaml:1:41: exclude: seed stands twice"},
    {"grid: {seed: [1, 2], exclude: {seed: [1, 2]}}\n", "job.yaml: the grid's excludes leave no point of 2"},
    {"grid:\n  zip: {seed: [1, 2], batch_size: [10, 20]}\n  exclude:\n    - {seed: 1, batch_size: 20}\n",
     "job.yaml:4:7: exclude: no combination of the grid matches"},
    {"grid:\n  learning_rate: [1]\n  momentum: [0]\n  weight_decay: [0]\n  sam_rho: [0]\n  dropout: [0]\n"
     "  batch_norm: [true]\n  batch_size: [1]\n"
     "  seed: [1]\n  max_epochs: [1]\n  ghost_batch: [1]\n  micro_batch: [1]\n  step_factor: [1]\n"
     "  step_epochs: [1]\n  loss: [cross_entropy]\n  init: [auto]\n  dataset: [idx]\n  standardise: [none]\n",
     "job.yaml:18:3: more than 16 axes"},
    /* keys that do not fit each other */
    {"data: {train_examples: 500}\ncurvature:\n  curvature_examples: 501\n",
     "job.yaml:3:3: curvature_examples 501 is more than train_examples 500"},
    {"curvature: {curvature_examples: 600}\ngrid:\n  train_examples: [all, 1000, 500]\n",
     "job.yaml:1:13: curvature_examples 600 is more than train_examples 500"},
    {"data: {dataset: synthetic, train_examples: 1000}\n",
     "job.yaml:1:28: train_examples 1000 is more than synthetic_train 512"},
    {"data: {dataset: synthetic, test_examples: 1000}\n",
     "job.yaml:1:28: test_examples 1000 is more than synthetic_test 256"},
    {"training: {nesterov: true}\n", "job.yaml:1:12: nesterov: true needs a momentum greater than 0, and momentum is 0"},
    {"training: {nesterov: true}\ngrid: {momentum: [0.9, 0]}\n", "job.yaml:1:12: nesterov: true needs a momentum"},
    {"data: {train_examples: 1500}\ntraining: {batch_size: 1501}\n",
     "job.yaml:2:12: batch_size 1501 is more than the 1500 training examples; lower it, or write batch_size: full"},
    {"training: {sam_rho: 0.1, batch_size: 32, sam_m: 64}\n",
     "job.yaml:1:42: sam_m 64 is more than batch_size 32; lower it, or write sam_m: batch"},
    {"training: {warmup_epochs: 5, max_epochs: 4}\n", "job.yaml:1:12: warmup_epochs 5 is more than max_epochs 4"},
    {"curvature: {interpolation_points: 1}\n", "job.yaml:1:13: interpolation_points 1 interpolates nothing"},
    {"curvature: {eigenvalues: 10, curvature_max_hvp: 9}\n",
     "job.yaml:1:13: eigenvalues 10 is more than curvature_max_hvp 9"},
    {"curvature: {trace_probes: 1}\n", "job.yaml:1:13: trace_probes 1 has no standard error; expected 0 (no trace) or 2 and"},
    {"curvature: {batch_sharpness_batches: 1}\n", "job.yaml:1:13: batch_sharpness_batches 1 has no standard error"},
    {"curvature: {lambda_subsets: 1}\n", "lambda_subsets: '1' is too small; expected an integer from 2 to 1000000000 (subsets), "
     "or none"},
    {"curvature: {lambda_subsets: 513, curvature_examples: all}\ndata: {dataset: synthetic}\n",
     "job.yaml:1:13: lambda_subsets 513 is more than the 512 training examples"},
    {"curvature: {curvature_examples: 100, sharpness_rho: 0.1, sharpness_m: 101}\n",
     "job.yaml:1:58: sharpness_m 101 is more than the 100 examples of the Hessian; lower it, or write sharpness_m: all"},
    {"curvature: {curvature_examples: 100, adaptive_rho: 0.1, sharpness_m: 101}\n", "job.yaml:1:57: sharpness_m 101 is more"},
    {"curvature: {batch_sharpness_batches: 2}\ndata: {dataset: synthetic}\ngrid: {batch_size: [256, full, 512, 257]}\n",
     "batch_sharpness_batches 2 is more than the 1 whole batches of batch_size 257 that 512 training examples make"},
    {"curvature: {spherical_eigenvalue: true}\n", "job.yaml:1:13: spherical_eigenvalue needs batch_norm: true"},
    {"model: {batch_norm: true}\ncurvature: {spherical_eigenvalue: true, curvature_batch_norm: running}\n",
     "job.yaml:2:13: spherical_eigenvalue needs curvature_batch_norm: batch; with running statistics"},
    {"curvature: {track_measures: true}\n", "job.yaml:1:13: track_measures: true needs track_every_epochs or track_every_steps"},
    {"curvature: {sharpness_rho: -0.1}\n", "sharpness_rho: '-0.1' is too small; expected a number of at least 0"},
    {"curvature: {spectrum_steps: 1}\n", "spectrum_steps: '1' is too small; expected an integer from 2 to 1000 (products)"},
    {"curvature: {gauss_newton: 1}\n", "gauss_newton: '1' is not a truth value; expected true or false"},
    {"model: {network: layers}\n", "job.yaml:1:9: network: layers needs the list `layers:` in section model"},
    {"model: {layers: [relu]}\n", "job.yaml:1:9: layers: needs `network: layers`, and network is mlp"},
    {"model: {layers: [relu]}\ngrid: {network: [mlp, cnn]}\n", "job.yaml:1:9: layers: needs `network: layers`"},
};

static void bad_jobs(void)
{
    for (size_t i = 0; i < sizeof bads / sizeof *bads; i++) {
        ss_error error = {""};
        ss_job *job = ss_job_parse(bads[i].text, "job.yaml", &error);
        bool same = !job && strncmp(error.text, bads[i].message, strlen(bads[i].message)) == 0;
        if (!same && !job && bads[i].message[0] != 'j') same = strstr(error.text, bads[i].message) != NULL;
        if (!same) fprintf(stderr, "\n    %s    expected %s\n    but got  %s\n", bads[i].text, bads[i].message, error.text);
        CU_ASSERT(same);
        CU_ASSERT_PTR_NULL(ss_job_parse(bads[i].text, NULL, NULL)); /* nobody wants the sentence */
        ss_job_destroy(job);
    }
    CU_ASSERT(sizeof bads / sizeof *bads >= 60);
}

static const char whole[] =
    "# every section, every form\n"
    "model: &m\n  network: layers\n  batch_norm: false\n  layers:\n    - linear: 30\n    - tanh\n"
    "    - residual: {body: [{linear: {units: 30, bias: false}}, relu]}\n    - {linear: {units: 10}}\n"
    "data: {dataset: synthetic, synthetic_train: 2000, data_dir: '', train_subset: \"first\"}\n"
    "training:\n  momentum: 0.9\n  max_epochs: 3 # so few\n  nesterov: &yes true\n"
    "curvature:\n  curvature_weight_decay: *yes\n  curvature_examples: all\n"
    "grid:\n  learning_rate: {log: [0.001, 0.1, 3]}\n  batch_size: [32, full]\n  sam_rho: 0.05\n"
    "  zip:\n    - {dropout: [0, 0.5], weight_decay: [0.1, 0]}\n"
    "  exclude:\n    - {batch_size: full, learning_rate: [0.01, 0.1]}\n    - {dropout: 0.5, seed: 1}\n"
    "sweep: {seeds: 2, output: out/x.h5, progress_s: 1.5, checkpoint_interval_s: 300, threads: 2, save_weights: true,\n"
    "  crash_retries: 4, timeout_retries: 5, memory_retries: 6, trial_memory: 700M, trial_time_limit_s: 8,\n"
    "  trial_silence_s: 9, worker_silence_s: 10, stop_grace_s: 11}\n";

static void good_job(void)
{
    ss_error error = {""};
    ss_job *job = ss_job_parse(whole, "some/folder/job.yaml", &error);
    if (!job) fprintf(stderr, "\n    %s\n", error.text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(job);
    CU_ASSERT_STRING_EQUAL(job->text, whole);
    CU_ASSERT_STRING_EQUAL(job->path, "some/folder/job.yaml");
    CU_ASSERT_STRING_EQUAL(job->output, "some/folder/out/x.h5");
    CU_ASSERT_EQUAL(job->progress_s, 1.5);
    CU_ASSERT_EQUAL(job->checkpoint_interval_s, 300);
    CU_ASSERT(job->crash_retries == 4 && job->timeout_retries == 5 && job->memory_retries == 6);
    CU_ASSERT(job->trial_memory == 700 * 1048576 && job->trial_time_limit_s == 8 && job->trial_silence_s == 9);
    CU_ASSERT(job->worker_silence_s == 10 && job->stop_grace_s == 11);
    CU_ASSERT_EQUAL(job->time_limit_s, 0);
    CU_ASSERT_EQUAL(job->n_axes, 5);
    CU_ASSERT_EQUAL(job->n_excludes, 2);
    CU_ASSERT_STRING_EQUAL(job->axes[0].key[0]->name, "learning_rate");
    CU_ASSERT_STRING_EQUAL(job->axes[0].text[0][1], "0.01");
    CU_ASSERT_STRING_EQUAL(job->axes[3].key[1]->name, "weight_decay");
    CU_ASSERT_STRING_EQUAL(job->axes[4].key[0]->name, "seed");
    CU_ASSERT_EQUAL(job->axes[4].n_values, 2);
    CU_ASSERT(ss_job_is_axis(job, ss_key_find("weight_decay")));
    CU_ASSERT_FALSE(ss_job_is_axis(job, ss_key_find("momentum")));
    CU_ASSERT(job->settings.nesterov && job->settings.curvature_weight_decay && job->settings.save_weights);
    CU_ASSERT_EQUAL(job->settings.threads, 2);
    CU_ASSERT_EQUAL(job->settings.curvature_examples, SS_WORD);
    CU_ASSERT_STRING_EQUAL(job->settings.data_dir, "");
    CU_ASSERT_STRING_EQUAL(job->settings.layers, "linear(units=30,bias=1); tanh; residual(projection=0); "
                           "linear(units=30,bias=0); relu; end; linear(units=10,bias=1)");
    ss_job_destroy(job);
    ss_job_destroy(NULL);
}

static void smallest_jobs(void)
{
    static const char *const texts[] = {
        "sweep: {}\n", "grid:\n", "model:\ndata:\n", "{training: {seed: 3}}", "\xef\xbb\xbfgrid:\n",
        "training:\r\n  seed: 3\r\n", "grid: {seed: 3}\n...\n", "model: {widths: []}\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        ss_error error = {""};
        ss_job *job = ss_job_parse(texts[i], "job.yaml", &error);
        if (!job) fprintf(stderr, "\n    %s: %s\n", texts[i], error.text);
        CU_ASSERT_PTR_NOT_NULL_FATAL(job);
        CU_ASSERT_PTR_NULL(job->output);
        CU_ASSERT_EQUAL(job->progress_s, 60);
        CU_ASSERT_EQUAL(job->checkpoint_interval_s, 60);
        ss_grid *grid = ss_grid_create(job, NULL);
        CU_ASSERT_EQUAL(ss_grid_count(grid), 1);
        ss_grid_destroy(grid);
        ss_job_destroy(job);
    }
}

struct path { const char *written, *job, *resolved; };
static const struct path paths[] = {
    {"x.h5", "job.yaml", "x.h5"},           {"x.h5", "a/b/job.yaml", "a/b/x.h5"},  {"../x", "/a/job.yaml", "/a/../x"},
    {"/x", "/a/job.yaml", "/x"},            {"~/x", "/a/job.yaml", "/users/me/x"},  {"${SS_T}/x", "/a/j", "/tmp/t/x"},
    {"b${SS_T}${SS_T}", "a/j", "a/b/tmp/t/tmp/t"}, {"a$1$", "j", "a$1$"},          {"a~", "j", "a~"},
    {"~", "j", NULL}, /* YAML's null */
};

static void paths_are_resolved(void)
{
    char *home = ss_strdup(getenv("HOME") ? getenv("HOME") : "");
    setenv("HOME", "/users/me", 1);
    setenv("SS_T", "/tmp/t", 1);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        char text[256];
        snprintf(text, sizeof text, "sweep:\n  output: %s\ndata:\n  data_dir: %s\n", paths[i].written, paths[i].written);
        ss_job *job = ss_job_parse(text, paths[i].job, NULL);
        CU_ASSERT_EQUAL(job == NULL, paths[i].resolved == NULL);
        if (!job || !paths[i].resolved) continue;
        CU_ASSERT_STRING_EQUAL(job->output, paths[i].resolved);
        CU_ASSERT_STRING_EQUAL(job->settings.data_dir, paths[i].resolved);
        ss_job_destroy(job);
    }
    setenv("HOME", home, 1);
    unsetenv("SS_T");
    ss_free(home);
}

static void path_too_long(void)
{
    char text[6000] = "sweep:\n  output: ";
    ss_error error = {""};
    memset(text + strlen(text), 'x', 5000);
    CU_ASSERT_PTR_NULL(ss_job_parse(text, "job.yaml", &error));
    CU_ASSERT_STRING_EQUAL(error.text, "job.yaml:2:11: output: a path longer than 4095 bytes");
}

/* ---- files --------------------------------------------------------------------------------------------------------- */
static char folder[256];

static void expect_load(const char *name, const void *bytes, size_t n, const char *message)
{
    char path[300];
    ss_error error = {""};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (bytes) {
        FILE *file = fopen(path, "wb");
        CU_ASSERT_PTR_NOT_NULL_FATAL(file);
        CU_ASSERT_EQUAL(fwrite(bytes, 1, n, file), n);
        fclose(file);
    }
    ss_job *job = ss_job_load(path, &error);
    CU_ASSERT_EQUAL(job == NULL, message != NULL);
    if (message && !strstr(error.text, message)) fprintf(stderr, "\n    %s: %s\n", name, error.text);
    if (message) CU_ASSERT(strncmp(error.text, folder, strlen(folder)) == 0 && strstr(error.text, message));
    ss_job_destroy(job);
    if (bytes) unlink(path);
}

static void files(void)
{
    const char *tmp = getenv("TMPDIR");
    static char big[(1 << 20) + 1];
    snprintf(folder, sizeof folder, "%s/ss_job_XXXXXX", tmp ? tmp : "/tmp");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
    expect_load("good.yaml", whole, strlen(whole), NULL);
    expect_load("missing.yaml", NULL, 0, "missing.yaml: cannot be opened: No such file or directory");
    expect_load("", NULL, 0, ": a folder; expected a job file (YAML)");
    expect_load("empty.yaml", "", 0, "empty.yaml: the file is empty");
    expect_load("zero.yaml", "model:\n  network\0: x\n", 20, "zero.yaml:2: a zero byte; a job file is text");
    memset(big, '#', sizeof big);
    expect_load("big.yaml", big, sizeof big, "big.yaml: 1048577 bytes; a job file has at most 1048576");
    rmdir(folder);
    ss_error error = {""};
    CU_ASSERT_PTR_NULL(ss_job_load("/dev/null", &error));
    CU_ASSERT_STRING_EQUAL(error.text, "/dev/null: no regular file; expected a job file (YAML)");
}

/* ---- when memory is gone, and hostile text --------------------------------------------------------------------------- */
static void memory_gone(void)
{
    long n = 0;
    for (; n < 1000; n++) {
        ss_error error = {""};
        ss_alloc_fail_after(n);
        ss_job *job = ss_job_parse(whole, "job.yaml", &error);
        ss_alloc_fail_after(-1);
        if (!job) CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "out of memory"));
        bool done = job != NULL;
        ss_job_destroy(job);
        if (done) break;
    }
    CU_ASSERT(n > 10 && n < 1000);
}

/* What libFuzzer calls: clang -fsanitize=fuzzer,address -DSS_FUZZ test_job.c ... */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char *text = ss_alloc(n + 1, 1);
    if (!text) return 0;
    memcpy(text, data, n);
    ss_job_destroy(ss_job_parse(text, "job.yaml", NULL));
    ss_free(text);
    return 0;
}

static void mutations_never_crash(void)
{
    static const char *const words[] = {"[", "]", "{", "}", ": ", "- ", "&a ", "*a", "!!int ", "\n", "  ", "'", "\"", "? ",
                                        "|\n", "zip: ", "exclude: ",
                                        "9999", "full", "log", "\xff", "\t", "<<: ", "-1", "e9"};
    ss_stream random = ss_stream_make(5, SS_FOR_TEST, 0, 0);
    uint8_t text[sizeof whole + 64];
    for (uint64_t i = 0, draw = 0; i < 4000; i++) {
        size_t n = sizeof whole - 1;
        memcpy(text, whole, n);
        for (uint32_t m = 0; m < 1 + i % 3; m++) {
            uint32_t r = ss_stream_u32(&random, draw++), s = ss_stream_u32(&random, draw++);
            const char *word = words[s % (sizeof words / sizeof *words)];
            size_t at = r % n, length = strlen(word);
            if (s % 2) { /* a word put in */
                memmove(text + at + length, text + at, n - at);
                memcpy(text + at, word, length);
                n += length;
            } else { /* a piece taken out */
                size_t cut = s / 2 % 12;
                cut = cut > n - at ? n - at : cut;
                memmove(text + at, text + at + cut, n - at - cut);
                n -= cut;
            }
        }
        CU_ASSERT_EQUAL(LLVMFuzzerTestOneInput(text, n), 0);
    }
}

/* Defaults give way to a small training set; what is written stands, and is refused where it does not fit. */
static void fitted_defaults(void)
{
    static const struct { const char *text; int64_t batch_size, curvature_examples; } table[] = {
        {"data: {train_examples: 100}\n", SS_WORD, SS_WORD},
        {"data: {train_examples: 500}\n", 128, SS_WORD},
        {"data: {dataset: synthetic}\n", 128, SS_WORD},
        {"data: {train_examples: 2000}\n", 128, 1000},
        {"data: {train_examples: 100}\ntraining: {batch_size: 20}\ncurvature: {curvature_examples: 50}\n", 20, 50},
        {"\xEF\xBB\xBF" "data: {train_examples: 100}\ntraining: {batch_size: 20}\n", 20, SS_WORD}, /* byte-order mark */
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        ss_error error = {""};
        ss_job *job = ss_job_parse(table[i].text, "job.yaml", &error);
        if (!job) fprintf(stderr, "\n    %s\n", error.text);
        CU_ASSERT_PTR_NOT_NULL_FATAL(job);
        CU_ASSERT_EQUAL(job->settings.batch_size, table[i].batch_size);
        CU_ASSERT_EQUAL(job->settings.curvature_examples, table[i].curvature_examples);
        ss_job_destroy(job);
    }
}

/* A pipe without a writer is refused, not waited for. */
static void pipe_is_no_job(void)
{
    char dir[] = "/tmp/ss-job-XXXXXX", path[64];
    ss_error error = {""};
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/job.yaml", dir);
    CU_ASSERT_EQUAL_FATAL(mkfifo(path, 0600), 0);
    alarm(20); /* ends a test that hangs */
    CU_ASSERT_PTR_NULL(ss_job_load(path, &error));
    alarm(0);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "no regular file"));
    unlink(path);
    rmdir(dir);
}

static const ss_case cases[] = {{"fitted defaults", fitted_defaults}, {"a pipe is no job", pipe_is_no_job}, 
    {"bad jobs", bad_jobs},
    {"good job", good_job},
    {"smallest jobs", smallest_jobs},
    {"paths are resolved", paths_are_resolved},
    {"path too long", path_too_long},
    {"files", files},
    {"memory gone", memory_gone},
    {"mutations never crash", mutations_never_crash},
};
#ifndef SS_FUZZ
SS_SUITE("sweep/job", cases)
#endif
