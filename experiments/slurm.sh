#!/usr/bin/env bash
# A study on a Slurm cluster: one Dask scheduler, one worker a task, results in the shared folder.
#
#     sbatch experiments/slurm.sh depth points
#
# Each task is a process with one thread. Ask for more tasks to be done sooner; a job that is cut
# off loses the runs in flight only: submit it again.
#SBATCH --job-name=flows
#SBATCH --ntasks=32
#SBATCH --cpus-per-task=1
#SBATCH --mem-per-cpu=2G
#SBATCH --time=02:00:00
set -euo pipefail
cd "${SLURM_SUBMIT_DIR:?submit this script with sbatch, from the folder of the course}"

export OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
PYTHON=${PYTHON:-.venv/bin/python}
file=$PWD/.cache/scheduler-${SLURM_JOB_ID}.json
mkdir -p .cache

"$PYTHON" -m distributed.cli.dask_scheduler --scheduler-file "$file" --port 0 --no-dashboard &
scheduler=$!
# The job ends when the scheduler has ended: it stops its workers first.
trap 'kill $scheduler 2>/dev/null; wait $scheduler || :; rm -f "$file"' EXIT
srun --ntasks="$SLURM_NTASKS" "$PYTHON" -m distributed.cli.dask_worker --scheduler-file "$file" \
    --nthreads 1 --no-dashboard --death-timeout 120 &
"$PYTHON" -m experiments --dask "$file" "$@"
