using Dori.Checkpoints;
using Dori.Models;

namespace Dori.Diffusion;

/// <summary>Time steps and noise levels, rounded where and as diffusers rounds them.</summary>
internal static class SamplerTimesteps
{
    public static void Check(SchedulerConfig config, int steps)
    {
        if (steps < 1 || steps > config.NumTrainTimesteps)
            throw new DoriException(
                $"sampler steps: {steps} is not between 1 and {config.NumTrainTimesteps}, the time steps that the model was trained with");
    }

    /// <summary>Whole time steps, falling: Lin et al. 2023, table 2.</summary>
    public static int[] Whole(SchedulerConfig config, int steps)
    {
        int count = config.NumTrainTimesteps;
        return Checked(config, steps, config.TimestepSpacing switch
        {
            "linspace" => [.. Linspace(count - 1, steps).Reverse().Select(Round)],
            "leading" => [.. Enumerable.Range(0, steps).Reverse().Select(i => i * (count / steps) + config.StepsOffset)],
            "trailing" => Trailing(count, steps),
            _ => throw Unknown(config),
        });
    }

    public static int[] Trailing(int count, int steps) =>
        [.. Enumerable.Range(0, steps).Select(i => Round(count - i * ((double)count / steps)) - 1)];

    public static double[] Linspace(double last, int count) =>
        [.. Enumerable.Range(0, count).Select(i => count == 1 ? 0 : i * (last / (count - 1)))];

    public static int Round(double value) => (int)Math.Round(value, MidpointRounding.ToEven);

    /// <exception cref="DoriException">An offset has moved a time step past the schedule's end.</exception>
    public static int[] Checked(SchedulerConfig config, int steps, int[] timesteps) =>
        Array.TrueForAll(timesteps, t => t >= 0 && t < config.NumTrainTimesteps)
        ? timesteps
        : throw new DoriException(
            $"sampler steps: {steps} steps reach past the {config.NumTrainTimesteps} time steps of the schedule; choose fewer steps");

    public static DoriException Unknown(SchedulerConfig config) =>
        new($"scheduler_config.json: timestep_spacing \"{config.TimestepSpacing}\" is not supported; leading, trailing and linspace are");

    /// <summary>Noise over signal, sigma_t = sqrt((1 - a_t) / a_t), rising with t.</summary>
    public static double[] Sigmas(NoiseSchedule schedule)
    {
        double[] sigmas = new double[schedule.NumTrainTimesteps];
        for (int t = 0; t < sigmas.Length; t++)
        {
            // With zero terminal signal the last sigma would be infinite; diffusers puts float16's smallest number there.
            double alpha = schedule.AlphasCumprod[t] == 0 ? Math.Pow(2, -24) : schedule.AlphasCumprod[t];
            sigmas[t] = (float)Math.Sqrt((1 - alpha) / alpha);
        }
        return sigmas;
    }

    /// <summary>sigma at a time step between two whole ones.</summary>
    public static double Interpolate(double[] sigmas, double t)
    {
        int low = Math.Clamp((int)Math.Floor(t), 0, sigmas.Length - 2);
        return sigmas[low] + (t - low) * (sigmas[low + 1] - sigmas[low]);
    }

    /// <summary>Karras et al. 2022, equation 5, with rho = 7.</summary>
    public static double[] Karras(double largest, double smallest, int steps)
    {
        const double rho = 7;
        (double from, double to) = (Math.Pow(largest, 1 / rho), Math.Pow(smallest, 1 / rho));
        return [.. Linspace(1, steps).Select(ramp => Math.Pow(from + ramp * (to - from), rho))];
    }

    /// <summary>Sigmas in float32, with that of the end: 0, or the schedule's smallest.</summary>
    public static double[] WithFinal(SchedulerConfig config, double[] all, double[] sigmas) =>
        [.. sigmas.Select(sigma => (double)(float)sigma), config.FinalSigmasType == "sigma_min" ? all[0] : 0];

    /// <summary>sqrt(a) and sqrt(1 - a) of a noise level.</summary>
    public static (double Signal, double Noise) Split(double sigma)
    {
        double signal = 1 / Math.Sqrt(sigma * sigma + 1);
        return (signal, sigma * signal);
    }

    /// <summary>The time step of a noise level, between whole ones by the logarithm of sigma.</summary>
    public static double TimestepOf(double[] sigmas, double sigma)
    {
        int above = Array.FindIndex(sigmas, level => level > sigma);
        int low = Math.Clamp((above < 0 ? sigmas.Length : above) - 1, 0, sigmas.Length - 2);
        double lowLog = Math.Log(sigmas[low]), highLog = Math.Log(sigmas[low + 1]);
        return low + Math.Clamp((Math.Log(sigma) - lowLog) / (highLog - lowLog), 0, 1);
    }
}
