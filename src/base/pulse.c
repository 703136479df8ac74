/* pulse.c - a trial's signs of life, and the wish that it stops, in memory that its supervisor may share. */
#include "sharpsweep/base.h"

const char *const ss_pulse_name[SS_N_PULSE] = {"load", "train", "curvature", "save"};

static ss_pulse own, *pulse = &own;

void ss_pulse_share(ss_pulse *shared)
{
    pulse = shared ? shared : &own;
}

void ss_pulse_beat(void)
{
    /* One writer: a plain increment is enough, and costs as little as it can. */
    uint64_t n = __atomic_load_n(&pulse->beats, __ATOMIC_RELAXED);
    __atomic_store_n(&pulse->beats, n + 1, __ATOMIC_RELAXED);
}

void ss_pulse_enter(ss_pulse_place place)
{
    __atomic_store_n(&pulse->place, (int32_t)place, __ATOMIC_RELAXED);
    ss_pulse_beat();
}

bool ss_pulse_stop_asked(void)
{
    return __atomic_load_n(&pulse->stop, __ATOMIC_RELAXED) != 0;
}

ss_pulse_place ss_pulse_where(void)
{
    int32_t place = __atomic_load_n(&pulse->place, __ATOMIC_RELAXED);
    return place >= 0 && place < SS_N_PULSE ? (ss_pulse_place)place : SS_PULSE_LOAD;
}
