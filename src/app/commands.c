/* commands.c - the table of commands, and the program around it. */
#include <errno.h>
#include <string.h>

#include "app.h"

static const ss_option run_options[] = {
    {"output", 'o', "RESULTS.h5", "the results file (default: the job's `output`, else JOB.h5 beside the job)"},
    {"progress", 0, "MODE", "live, plain, none or auto: live on a terminal, else plain (default: auto)"},
    {"slice", 0, "I/N", "only slice I of N, into RESULTS.slice-I-of-N.h5, without what RESULTS.h5 has already; see merge"},
    {"status-file", 0, "FILE", "write the exit status and a word on it there as soon as all is on the disk"},
    {"in-process", 0, NULL, "trials in the ranks' own processes, for debuggers: a crash ends the run, limits do not hold"},
    {0},
};
static const ss_option merge_options[] = {{0}};
static const ss_option where_options[] = {
    {"output", 'o', "RESULTS.h5", "the results file, where it is not the job's own"},
    {"slice", 0, "I/N", "of slice I of N"},
    {"mark", 0, NULL, "what has been achieved so far, in place of the name: the same line, nothing achieved"},
    {0},
};
static const ss_option submit_options[] = { /* cmd_submit.c counts on their order */
    {"output", 'o', "RESULTS.h5", "the results file (default: the job's `output`, else JOB.h5 beside the job)"},
    {"nodes", 'N', "N", "nodes (default: SLURM decides where the ranks go)"},
    {"ranks", 'n', "N", "working ranks (default: what the points left and a node's cores have use for)"},
    {"time", 't', "TIME", "time limit, as sbatch reads it (default: what plan predicts, and a reserve)"},
    {"partition", 'p', "NAME", "the partition"},
    {"account", 'A', "NAME", "the account"},
    {"qos", 'q', "NAME", "the quality of service"},
    {"modules", 0, "NAMES", "environment modules to load, separated by blanks"},
    {"launcher", 0, "NAME", "mpirun, srun, none or auto (default: mpirun if there is one, else srun)"},
    {"dry-run", 0, NULL, "print the script, submit nothing"},
    {0},
};
static const ss_option plan_options[] = {
    {"output", 'o', "RESULTS.h5", "the results file whose finished points count as done"},
    {"ranks", 0, "N", "predict the wall time of N MPI ranks (default: this machine's cores)"},
    {0},
};
static const ss_option status_options[] = {{0}};
static const ss_option show_options[] = {
    {"csv", 0, NULL, "every column, as CSV"},
    {0},
};
static const ss_option curvature_options[] = {
    {"weights", 'w', "FILE", "weights file: ours, or one written from PyTorch"},
    {"point", 'p', "N", "whose settings to use, where the grid has several points (0 is the first)"},
    {0},
};
static const ss_option report_options[] = { /* cmd_report.c counts on their order */
    {"output", 'o', "FOLDER", "where the report goes (default: report)"},
    {"accuracy-slack", 0, "A", "leave out points further than this off their target train accuracy (default: 0.01)"},
    {0},
};
static const ss_option verify_options[] = {
    {"repair", 0, NULL, "repair what can be repaired"},
    {0},
};
static const ss_option reference_options[] = { /* cmd_reference.c counts on their order */
    {"schema", 0, NULL, "the JSON Schema that editors use, in place of the table of keys"},
    {"man", 0, "PAGE", "a manual page: 1 (the program) or 5 (the job file), as in `sharpsweep reference --man 5 | man -l -`"},
    {"completion", 0, NULL, "what bash completes: `source <(sharpsweep reference --completion)` in ~/.bashrc"},
    {0},
};

static const ss_command commands[] = {
    {"run", "JOB.yaml", "Run a sweep, or go on with it",
     "Under mpirun or srun, rank 0 schedules and all other ranks work; alone, one process does both.\n"
     "Run again, it continues: finished points are kept, new grid values are added, points whose\n"
     "settings changed are refused with the difference shown. Ctrl-C, SIGTERM, SIGUSR1 or a file\n"
     "RESULTS.h5.stop beside RESULTS.h5 stop it in order; a second Ctrl-C at once. (Under Open MPI's\n"
     "mpirun a Ctrl-C or TERM leaves the ranks one second and mpirun ends with its own status, 1; USR1 sent to\n"
     "mpirun, or the stop file, leave them the time they need.)\n"
     "\n"
     "Exit status: 0 every point finished, 2 bad command line, job or file (nothing changed),\n"
     "3 finished but some points failed, 75 stopped early, state saved, run again; 1 an error in\n"
     "the middle, such as a full disk: what was finished is kept.\n",
     run_options, ss_cmd_run, true, false},
    {"plan", "JOB.yaml", "Say what a sweep would do and cost; run nothing", NULL, plan_options, ss_cmd_plan, false, false},
    {"status", "RESULTS.h5", "Say how far a sweep is, also while it runs", NULL, status_options, ss_cmd_status, false, false},
    {"show", "RESULTS.h5", "Print results as a table",
     "In CSV every point is one line and every number a plain one: controls stand as \\n, \\x1b and the like, as in\n"
     "tables, and text that a spreadsheet takes for a formula (it begins with =, +, - or an at sign) behind an apostrophe.\n",
     show_options, ss_cmd_show, false, false},
    {"curvature", "JOB.yaml", "Measure lambda_max of given weights, without training", NULL, curvature_options,
     ss_cmd_curvature, false, false},
    {"merge", "OUT.h5 IN.h5...", "Join the results files of a sweep's slices",
     "OUT.h5 is made, or joined by the others where it is there already, at once or not at all. Refused, and\n"
     "nothing changed: files of another job or of other data (the difference is shown), a file that is\n"
     "being written, a point with two different results. Points that stand in several files and agree are\n"
     "fine. The inputs are left as they are.\n"
     "\n"
     "Exit status: 0 every point finished, 2 refused, 3 finished but some points failed, 75 points are left.\n",
     merge_options, ss_cmd_merge, false, true},
    {"submit", "JOB.yaml", "Submit a sweep to SLURM, with ranks and time that fit it",
     "Prints the batch script that it submits. The job stops in order before its time is up, requeues itself\n"
     "and ends when every point is finished; slurm/README.md tells its story.\n",
     submit_options, ss_cmd_submit, false, false},
    {"where", "JOB.yaml", "Say where a sweep's results go, and how far it is, for scripts", NULL, where_options, ss_cmd_where,
     false, false},
    {"report", "RESULTS.h5", "Figures, a verdict on each of the five findings, report.html",
     "Several files count as one study. Needs Python 3 with h5py, scipy and matplotlib (SHARPSWEEP_PYTHON names\n"
     "one); what a verdict means stands in analysis/README.md.\n",
     report_options, ss_cmd_report, false, true},
    {"verify", "RESULTS.h5", "Check a results file and its journal", NULL, verify_options, ss_cmd_verify, false, false},
    {"reference", NULL, "Print the reference of all job keys, or a manual page", NULL, reference_options, ss_cmd_reference,
     false, false},
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

const ss_command *ss_commands(size_t *n)
{
    *n = N_COMMANDS;
    return commands;
}

const ss_command *ss_command_find(const char *name)
{
    for (size_t i = 0; name && i < N_COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0) return &commands[i];
    return NULL;
}

static void print_help(FILE *out)
{
    fprintf(out, "sharpsweep - sweeps over training settings, measuring the sharpness of every minimum found\n\n"
                 "Usage: sharpsweep COMMAND FILE [OPTIONS]\n\n");
    for (size_t i = 0; i < N_COMMANDS; i++) {
        char head[64];
        snprintf(head, sizeof head, "%s %s", commands[i].name, commands[i].operand ? commands[i].operand : "");
        fprintf(out, "  %-22s %s\n", head, commands[i].text);
    }
    fprintf(out, "\n  sharpsweep COMMAND --help explains a command; sharpsweep --version names this build.\n");
}

static int unknown_command(const char *name, ss_error *error)
{
    const char *words[N_COMMANDS + 1] = {NULL};
    for (size_t i = 0; i < N_COMMANDS; i++) words[i] = commands[i].name;
    const char *nearest = ss_word_nearest(name, words);
    if (nearest)
        ss_fail(error, "unknown command `%s`; did you mean `%s`?", name, nearest);
    else
        ss_fail(error, "unknown command `%s`; `sharpsweep --help` lists them", name);
    return SS_EXIT_USAGE;
}

static int run_command(int argc, char **argv, ss_error *error)
{
    const char *name = argc > 1 ? argv[1] : NULL;
    if (!name) {
        print_help(stderr);
        return SS_EXIT_USAGE;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        const ss_command *about = argc > 2 ? ss_command_find(argv[2]) : NULL;
        if (about)
            ss_command_help(about, stdout);
        else
            print_help(stdout);
        return SS_EXIT_OK;
    }
    if (strcmp(name, "--version") == 0) {
        printf("sharpsweep %s (%s)\n", ss_version(), ss_commit());
        return SS_EXIT_OK;
    }
    const ss_command *command = ss_command_find(name);
    if (!command) return unknown_command(name, error);
    ss_arguments arguments;
    int rc = ss_arguments_parse(command, argc - 2, argv + 2, &arguments, error);
    if (rc) return rc > 0 ? SS_EXIT_OK : SS_EXIT_USAGE;
    return command->run(&arguments, error);
}

int ss_app_main(int argc, char **argv)
{
    ss_error error = {{0}};
    int status = run_command(argc, argv, &error);
    if (ss_farm_rank() != 0) return SS_EXIT_OK; /* rank 0 speaks for all, and its status is the sweep's */
    if (error.text[0]) {
        fprintf(stderr, "sharpsweep: %s\n", ss_printable_of(error.text).text);
    } else if ((fflush(stdout) || ferror(stdout)) && errno != EPIPE) { /* a reader who has left is no fault of the results */
        fprintf(stderr, "sharpsweep: cannot write to standard output: %s\n", strerror(errno));
        if (status == SS_EXIT_OK) status = SS_EXIT_ERROR;
    }
    return status;
}
