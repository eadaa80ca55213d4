using Dori.Mitigation.Adversarial;
using Dori.Training;
using Dori.Diffusion;
using Dori.Mitigation;
using Dori.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Mitigation;

public class AdversarialFineTuningLossTests
{
    [Fact]
    public void Loss_and_gradient_are_those_of_the_two_means_computed_directly()
    {
        using var scope = NewDisposeScope();
        using DiffusionModel model = Emoji.Model.WithUNetCopy();
        using var weights = new TrainableWeights(model.UNet, WeightSelection.All);
        TrainingRows rows = AdversarialFineTuningSample.Rows(weight: 0.7f);
        // Directly: L_DM is the mean over the elements of the two ordinary rows, L_Adv over those of the three adversarial ones.
        Tensor error = (rows.Noise - Predicted(model, rows)).square();
        Tensor ordinary = error.narrow(0, 0, 2).mean(), adversarial = error.narrow(0, 2, 3).mean();
        Tensor[] direct = weights.Gradients(ordinary + 0.7 * adversarial);

        (IReadOnlyList<Tensor> gradients, float[] losses, _) = rows.Gradient(model, weights.Tensors, 2, new Workers(2, 1));
        Assert.Equal(ordinary.item<float>(), losses[..2].Average(), 4);
        Assert.Equal(adversarial.item<float>(), losses[2..].Average(), 4);
        for (int i = 0; i < direct.Length; i++) Assert.InRange(Golden.RelativeError(gradients[i], direct[i]), 0, 2e-3);
        Assert.InRange(Golden.RelativeError(AdversarialFineTuningSample.Flat(gradients), AdversarialFineTuningSample.Flat(direct)), 0,
            1e-4);
        foreach (Tensor gradient in gradients) gradient.Dispose();
    }

    [Fact]
    public void What_the_errors_of_a_two_differ_by_counts_with_its_own_factor()
    {
        using var scope = NewDisposeScope();
        using DiffusionModel model = Emoji.Model.WithUNetCopy();
        using var weights = new TrainableWeights(model.UNet, WeightSelection.All);
        // Five rows: two twos with factors of their own and one row more, in pieces of two; the last two is in the second piece.
        TrainingRows rows =
            AdversarialFineTuningSample.Rows(weight: 1)
            with { Factors = tensor(new[] { 0.5f, 0.5f, 0.25f, 0.25f, 1f }), Twos = 2, GuidanceWeight = 3 };
        Tensor error = rows.Noise - Predicted(model, rows);
        Tensor plain = (error.square().mean([1L, 2L, 3L]) * rows.Factors).sum();
        Tensor[] direct =
            weights.Gradients(plain + 3 * (0.5 * (error[0] - error[1]).square().mean() + 0.25 * (error[2] - error[3]).square().mean()));
        (IReadOnlyList<Tensor> gradients, float[] losses, _) = rows.Gradient(model, weights.Tensors, 2, new Workers(2, 1));
        Assert.InRange(Golden.RelativeError(AdversarialFineTuningSample.Flat(gradients), AdversarialFineTuningSample.Flat(direct)), 0,
            1e-4);
        Assert.Equal(error[1].square().mean().item<float>(), losses[1], 4);
        foreach (Tensor gradient in gradients) gradient.Dispose();
    }

    [Fact]
    public void Lost_guidance_counts_by_its_mean_share_squared_over_the_twos_of_a_piece()
    {
        using var scope = NewDisposeScope();
        using DiffusionModel model = Emoji.Model.WithUNetCopy();
        using var weights = new TrainableWeights(model.UNet, WeightSelection.All);
        TrainingRows rows = AdversarialFineTuningSample.Rows(weight: 1);
        Tensor targets = RandomSource.For("targets").Normal([.. rows.Noise.shape]);
        rows = rows with { Targets = targets, Factors = tensor(new[] { 0.5f, 0.5f, 0.25f, 0.25f, 1f }), Twos = 2, ShortfallWeight = 3 };
        foreach (int piece in new[] { 2, 4 }) // each two by itself, or both together
        {
            Tensor predicted = Predicted(model, rows);
            Tensor plain = ((targets - predicted).square().mean([1L, 2L, 3L]) * rows.Factors).sum(), first = Share(predicted, 0),
                second = Share(predicted, 2);
            Tensor shortfall = piece == 2 ? 1 * first.square() + 0.5 * second.square() : 1.5 * ((first + second) / 2).square();
            Tensor[] direct = weights.Gradients(plain + 3 * shortfall);
            (IReadOnlyList<Tensor> gradients, float[] _, double measured) = rows.Gradient(model, weights.Tensors, piece, new Workers(2, 1));
            Assert.InRange(Golden.RelativeError(AdversarialFineTuningSample.Flat(gradients), AdversarialFineTuningSample.Flat(direct)), 0,
                1e-4);
            Assert.Equal(((first + second) / 2).item<float>(), measured, 4);
            foreach (Tensor gradient in gradients) gradient.Dispose();
        }

        Tensor Share(Tensor predicted, int row)
        {
            Tensor teacher = targets[row] - targets[row + 1];
            return 1 - ((predicted[row] - predicted[row + 1]) * teacher).sum() / teacher.square().sum();
        }
    }

    [Theory, InlineData(1, 0), InlineData(0.8, 0.2), InlineData(0, 1), InlineData(1.5, -0.5)]
    public void The_shortfall_is_the_share_that_is_lost_whatever_stands_across(double kept, double expected)
    {
        using var scope = NewDisposeScope();
        Tensor signal = RandomSource.For("signal").Normal([4, 4, 8, 8]), other = RandomSource.For("other").Normal([4, 4, 8, 8]);
        Tensor across =
            other - signal * ((other * signal).sum([1L, 2L, 3L], keepdim: true) / signal.square().sum([1L, 2L, 3L], keepdim: true));
        Tensor missing = (1 - kept) * signal + across;
        Assert.Equal(expected, TrainingRows.Shortfall(missing, signal).item<float>(), 5);
        // A caption that says nothing has nothing to lose, and does not decide by division.
        Tensor none = cat([signal, zeros(1, 4, 8, 8)], 0);
        Assert.Equal(expected * 4 / 5, TrainingRows.Shortfall(cat([missing, 1e-3 * ones(1, 4, 8, 8)], 0), none).item<float>(), 5);
        Assert.Equal(0, TrainingRows.Shortfall(ones(2, 4, 8, 8), zeros(2, 4, 8, 8)).item<float>());
    }

    [Fact]
    public void Every_weight_gets_a_gradient_and_y_none()
    {
        using var scope = NewDisposeScope();
        using DiffusionModel model = Emoji.Model.WithUNetCopy();
        using var weights = new TrainableWeights(model.UNet, WeightSelection.All);
        TrainingRows rows = AdversarialFineTuningSample.Rows(weight: 1);
        (IReadOnlyList<Tensor> gradients, float[] _, _) = rows.Gradient(model, weights.Tensors, 5, Workers.Single);
        Assert.Equal(model.UNet.parameters().Count(), gradients.Count);
        for (int i = 0; i < gradients.Count; i++)
        {
            Assert.Equal(weights.Tensors[i].shape, gradients[i].shape);
            Assert.True(gradients[i].abs().max().item<float>() > 0, weights.Names[i]);
            Assert.False(gradients[i].requires_grad);
        }
        Assert.False(rows.Y.Tokens.requires_grad);
        Assert.All(weights.Tensors, w => Assert.True(w.grad is null));
        foreach (Tensor gradient in gradients) gradient.Dispose();
    }

    [Fact]
    public void The_number_of_threads_does_not_change_a_bit()
    {
        using var scope = NewDisposeScope();
        using DiffusionModel model = Emoji.Model.WithUNetCopy();
        using var weights = new TrainableWeights(model.UNet, WeightSelection.All);
        TrainingRows rows = AdversarialFineTuningSample.Rows(weight: 1);
        float[] one = Gradient(1), three = Gradient(3);
        Assert.Equal(one, three);

        float[] Gradient(int workers)
        {
            (IReadOnlyList<Tensor> gradients, float[] _, _) = rows.Gradient(model, weights.Tensors, 2, new Workers(workers, 1));
            float[] flat = AdversarialFineTuningSample.Flat(gradients).data<float>().ToArray();
            foreach (Tensor gradient in gradients) gradient.Dispose();
            return flat;
        }
    }

    /// <summary>A prediction with the noise added by its formula, apart from the code under test.</summary>
    private static Tensor Predicted(DiffusionModel model, TrainingRows rows)
    {
        Tensor abar = tensor(model.Schedule.AlphasCumprod.ToArray())[rows.Timesteps].view(-1, 1, 1, 1);
        return model.Predict(abar.sqrt() * rows.Latents + (1 - abar).sqrt() * rows.Noise, rows.Timesteps, rows.Y);
    }
}
