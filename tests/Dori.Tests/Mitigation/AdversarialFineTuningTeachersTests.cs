using Dori.Mitigation.Adversarial;
using Dori.Training;
using Dori.Diffusion;
using Dori.Mitigation;
using Dori.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Mitigation;

public class AdversarialFineTuningTeachersTests
{
    /// <summary>The pictures of the last three rows, those of surrogates.</summary>
    private static readonly int[] s_surrogateOf = [1, 0, 1];

    [Theory, InlineData(0), InlineData(0.3), InlineData(1)]
    public void Ordinary_rows_are_taught_by_the_original_and_surrogates_by_the_model_pruned_for_their_picture_and_asked_by_its_caption(
        double share)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var sample = new AdversarialFineTuningSample();
        using var teachers = new AdversarialTeachers(sample.Model, sample.Pictures, sample.Surrogates);
        TrainingRows rows = AdversarialFineTuningSample.Rows(weight: 1),
            taught = teachers.Teach(rows, s_surrogateOf, share, 1, new Workers(2, 1));
        for (int row = 0; row < 5; row++)
        {
            // Directly, with the weights themselves cut in a copy.
            using DiffusionModel teacher = sample.Model.WithUNetCopy();
            if (row >= 2) sample.Surrogates[s_surrogateOf[row - 2]].Mask.Prune(teacher.UNet);
            Conditioning y = row < 2 ? rows.Y.Narrow(row, 1) : sample.Pictures[s_surrogateOf[row - 2]].Y;
            Tensor t = rows.Timesteps.narrow(0, row, 1), noise = rows.Noise.narrow(0, row, 1);
            Tensor prediction = teacher.Predict(teacher.Schedule.AddNoise(rows.Latents.narrow(0, row, 1), noise, t), t, y);
            Assert.InRange(Golden.RelativeError(taught.Targets!.narrow(0, row, 1), (1 - share) * noise + share * prediction), 0, 1e-5);
        }
        Assert.True(rows.Latents.equal(taught.Latents).all().item<bool>() && rows.Y.Tokens.equal(taught.Y.Tokens).all().item<bool>());
    }

    [Fact]
    public void They_stay_what_the_model_was_and_do_not_depend_on_threads()
    {
        using var scope = NewDisposeScope();
        using var sample = new AdversarialFineTuningSample();
        using var teachers = new AdversarialTeachers(sample.Model, sample.Pictures, sample.Surrogates);
        TrainingRows rows = AdversarialFineTuningSample.Rows(weight: 1);
        float[] before = Targets(new Workers(2, 1));
        using (no_grad())
            foreach (Tensor weight in sample.Model.UNet.parameters()) weight.mul_(0.5f);
        Assert.Equal(before, Targets(Workers.Single)); // a second time, after masks have come and gone

        float[] Targets(Workers workers) => teachers.Teach(rows, s_surrogateOf, 1, 1, workers).Targets!.data<float>().ToArray();
    }

    [Fact]
    public void The_gradient_with_a_teacher_is_that_of_both_losses_by_their_shares()
    {
        using var scope = NewDisposeScope();
        using var sample = new AdversarialFineTuningSample();
        DiffusionModel model = sample.Model;
        using var teachers = new AdversarialTeachers(model, sample.Pictures, sample.Surrogates);
        // else ordinary rows have nothing to learn
        using (no_grad()) model.UNet.named_parameters().Single(p => p.name == "conv_out.weight").parameter.mul_(0.9f);
        using var weights = new TrainableWeights(model.UNet, WeightSelection.All);
        TrainingRows rows = AdversarialFineTuningSample.Rows(weight: 1);
        Tensor taught = teachers.Teach(rows, s_surrogateOf, 1, 2, Workers.Single).Targets!;
        Tensor prediction = model.Predict(model.Schedule.AddNoise(rows.Latents, rows.Noise, rows.Timesteps), rows.Timesteps, rows.Y);
        Tensor toNoise = (rows.Noise - prediction).square().mean([1L, 2L, 3L]),
            toTeacher = (taught - prediction).square().mean([1L, 2L, 3L]);
        Tensor[] direct = weights.Gradients((rows.Factors * (0.7 * toNoise + 0.3 * toTeacher)).sum());
        (IReadOnlyList<Tensor> gradients, float[] _, _) = teachers.Teach(rows, s_surrogateOf, 0.3, 2, Workers.Single)
            .Gradient(model, weights.Tensors, 5, Workers.Single);
        Assert.InRange(Golden.RelativeError(AdversarialFineTuningSample.Flat(gradients), AdversarialFineTuningSample.Flat(direct)), 0,
            1e-4);
        foreach (Tensor gradient in gradients) gradient.Dispose();
    }
}
