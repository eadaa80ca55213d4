using Dori.Diffusion;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Mitigation.Adversarial;

/// <summary>
/// How long a training will take, from a trial of one step of the inner search and one piece of an outer step on every worker.
/// </summary>
internal static class AdversarialEstimate
{
    /// <param name="left">Outer steps that are left.</param>
    /// <param name="frozen">Runs something while the trained weights ask for no gradients.</param>
    /// <param name="clock">Time since some moment.</param>
    public static TimeSpan Of(AdversarialInputs inputs, AdversarialBatch batch, AdversarialTeachers? teachers,
        IReadOnlyList<Tensor> trained, int left,
        Action<Action> frozen, Func<TimeSpan> clock)
    {
        (AdversarialOptions options, Workers workers, int pictures) = (inputs.Options, inputs.Workers, inputs.Pictures.Count);
        AdversarialInputs oneStep = inputs with { Options = options with { SearchSteps = 1, SnapshotSteps = [], SearchGenerations = 0 } };
        RandomSource trial = RandomSource.For("trial");
        TimeSpan search = Second(() => frozen(() => workers.Run(workers.Count,
            slot => AdversarialSearch.Run(oneStep, slot % pictures, 0, slot, trial.Derive("slot", slot), CancellationToken.None),
            found => found.Y.Dispose(), CancellationToken.None)));
        int rowsInAll = batch.RowsInAll, pieces = (rowsInAll + options.MicroBatch - 1) / options.MicroBatch;
        TimeSpan step = Second(() =>
        {
            using var scope = NewDisposeScope();
            int count = Math.Min(options.MicroBatch, rowsInAll) * workers.Count;
            (Tensor latents, Conditioning y) = inputs.Ordinary.Draw(inputs.Model, trial, count, 0);
            TrainingRows rows = batch.Rows(latents, y, count, [], trial);
            if (teachers is not null) rows = teachers.Teach(rows, [], options.DistillationShare, inputs.TeacherPiece, workers);
            foreach (Tensor gradient in rows.Gradient(inputs.Model, trained, count / workers.Count, workers).Gradients) gradient.Dispose();
        });
        int searches = options.BatchOf(pictures) * options.SearchesPerPicture,
            rounds = (left + options.StepsPerSearch - 1) / options.StepsPerSearch;
        int waves = (searches + workers.Count - 1) / workers.Count;
        // of one picture, in steps of a search, about
        double generation = inputs.Model.Defaults.SamplerSteps * 2 / (2.2 * options.SearchBatch);
        TimeSpan time = search * (rounds * waves * (options.SearchSteps + generation * options.SearchGenerations))
            + step * (left * Math.Ceiling((double)pieces / workers.Count));
        HeldOutOptions held = options.HeldOut;
        if (held.Every == 0) return time;
        double checks = Math.Ceiling((double)left / held.Every) * Math.Min(held.Pictures, pictures);
        // Three ways a picture, two of them searches.
        return time + search * (checks * (2.0 * held.SearchSteps + 3 * generation * held.Generations) / workers.Count);

        TimeSpan Second(Action action)
        {
            action(); // the first call prepares kernels
            TimeSpan begun = clock();
            action();
            return clock() - begun;
        }
    }
}
